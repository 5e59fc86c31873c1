"""Models that join two kinds of data: pictures and words first."""
