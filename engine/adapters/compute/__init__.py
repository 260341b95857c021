"""Where many independent computations run."""
