"""What a job leaves: one dataclass, writer and reader per kind of file. Never imports PyTorch."""
