"""What the agent does about each input, one module per noun."""
