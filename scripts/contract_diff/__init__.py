"""Compares two versions of the contract and grades each change by whom it breaks."""
