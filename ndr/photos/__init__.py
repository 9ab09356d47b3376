"""Photographs of users: read from files of any kind, restored in tiles, written as they were."""
