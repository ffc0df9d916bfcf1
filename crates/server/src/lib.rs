//! HTTP: routes, handlers, limits, the OpenAPI document.
