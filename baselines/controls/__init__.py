"""Methods that bound the scale of a table: nothing done, everything known, plain resampling."""
