"""The plugin surface: hook specifications, the registry of components, discovery through entry points."""
