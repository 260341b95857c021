"""What the pages share: the facade to the engine, forms, charts and tables."""
