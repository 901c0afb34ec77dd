"""The server: the addresses of MONAI Label, with every input checked.

None of MONAI Label's own routes is used: they trust names of files, tags and parameters as they come.
"""
