"""How results travel through DVC to another clone and back."""
