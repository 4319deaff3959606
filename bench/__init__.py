"""Side-by-side measurements of this client, the vendor's SDK and plain generated code."""
