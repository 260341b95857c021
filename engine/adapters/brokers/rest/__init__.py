"""Any venue with an HTTP interface, told in a YAML file: see docs/rest-broker.md."""
