"""From named sets of images to pairs and training batches."""
