"""Methods that live in an environment of their own and are called by command."""
