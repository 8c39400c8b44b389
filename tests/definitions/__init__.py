"""Tests of definition files and importers."""
