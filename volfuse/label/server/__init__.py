"""The server: MONAI Label's addresses, checked before anything behind them is reached.

None of MONAI Label's own routes is used. They trust names of files, tags and parameters as they come.
"""
