"""Parts of the page: pictures, curves, panels, origin and what they are read from."""
