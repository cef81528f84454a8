"""What the master does about each input, one module per noun."""
