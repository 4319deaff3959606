"""Tests the contract with other tools."""
