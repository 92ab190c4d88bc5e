//! A list of routes, each with what it says of itself in the OpenAPI document.
//!
//! The document takes more instructions to make than all the rest of the server's start, and is seldom asked for: so
//! the list keeps how to make each part of it, and the router is made without.

use std::sync::Arc;

use axum::Router;
use axum::routing::MethodRouter;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::app::App;

/// The handlers of one path.
pub(in crate::http) struct Route {
    /// The path that each of them names.
    pub path: String,
    /// Them, by their methods.
    pub handlers: MethodRouter<Arc<App>>,
    /// Makes what they say of themselves.
    pub told: fn() -> UtoipaMethodRouter<Arc<App>>,
}

/// A [`Route`] of handlers `module::function` that have the same path.
macro_rules! routes {
    ($module:ident :: $handler:ident $(, $modules:ident :: $handlers:ident)* $(,)?) => {
        utoipa_axum::paste! { {
            use utoipa::Path as _;
            use utoipa_axum::PathItemExt as _;
            let handlers = axum::routing::MethodRouter::new();
            let handlers = $module::[<__path_ $handler>]::methods().iter()
                .fold(handlers, |all, method| all.on(method.to_method_filter(), $module::$handler));
            $(let handlers = $modules::[<__path_ $handlers>]::methods().iter()
                .fold(handlers, |all, method| all.on(method.to_method_filter(), $modules::$handlers));)*
            $crate::http::doc::routes::Route {
                path: $module::[<__path_ $handler>]::path(),
                handlers,
                told: || utoipa_axum::routes!($module::$handler $(, $modules::$handlers)*),
            }
        } }
    };
}
pub(in crate::http) use routes;

/// See the module.
#[derive(Default)]
pub(in crate::http) struct Routes {
    router: Router<Arc<App>>,
    told: Vec<fn() -> UtoipaMethodRouter<Arc<App>>>,
}

impl Routes {
    /// With one more.
    pub(crate) fn routes(mut self, route: Route) -> Self {
        self.router = self.router.route(&route.path, route.handlers);
        self.told.push(route.told);
        self
    }

    /// With those of another part.
    pub(crate) fn and(mut self, others: Self) -> Self {
        self.router = self.router.merge(others.router);
        self.told.extend(others.told);
        self
    }

    /// What serves them.
    pub(crate) fn router(self) -> Router<Arc<App>> {
        self.router
    }

    /// What they say of themselves, added to a document.
    pub(crate) fn told(self, to: OpenApiRouter<Arc<App>>) -> OpenApiRouter<Arc<App>> {
        self.told.into_iter().fold(to, |to, told| to.routes(told()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    /// Of two types that share a name the document tells one, and a client the wrong body.
    #[test]
    fn no_two_types_share_a_schema_name() {
        let (v1, others) = crate::http::all();
        let mut seen = BTreeMap::new();
        let told = [v1, others].into_iter().flat_map(|part| part.told);
        for (name, schema) in told.flat_map(|told| told().0) {
            let first = seen.entry(name.clone()).or_insert_with(|| schema.clone());
            assert!(
                *first == schema,
                "{name} is two types: #[schema(as = ...)] names one of them"
            );
        }
        assert!(seen.len() > 100, "{} schemas", seen.len());
    }
}
