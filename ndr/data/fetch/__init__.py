"""Published sets brought to this machine: downloaded, verified, unpacked."""
