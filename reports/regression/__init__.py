"""New scores against committed reference scores: what got worse, and is it certain."""
