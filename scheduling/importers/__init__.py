"""Task definitions of other schedulers, read and turned into ours. One module for each source."""
