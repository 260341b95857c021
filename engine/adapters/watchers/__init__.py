"""Those outside the engine who are told that it is alive."""
