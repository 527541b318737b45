"""Networks that components are made of. Imported inside constructors, so that listing components loads no torch."""
