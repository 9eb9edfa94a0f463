"""The service: studies handed in over HTTP, run one after another, looked at in a page. Called by `study serve`."""
