"""What every layer speaks: instants, ids, errors, effects and the input-to-handler table."""
