"""A plugin's distribution from packaged templates: what `dalr-bench plugins new` writes."""
