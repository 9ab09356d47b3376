"""What is measured on an image: metrics, their facts, and the protocols they obey."""
