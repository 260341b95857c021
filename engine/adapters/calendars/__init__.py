"""Hours of exchanges."""
