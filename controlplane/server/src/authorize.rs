//! Every endpoint asks the policies (45 CFR 164.308(a)(4), 164.312(a)(1)).
//!
//! A route is mounted with [`Routes::on`], which takes the action that the route is; axum's own
//! `route` is banned by clippy.toml. Where the request's path says what it is about, the policies
//! are asked before the handler runs. Where the token or the body says it, the handler asks by
//! its [`Asking`]; one that answers well without having asked is answered for with 500.

mod caller;
mod denied;

pub(crate) use caller::by_token;
pub(crate) use denied::Denied;

use crate::Error;
use crate::app::App;
use crate::clock::now_us;
use crate::identity::Principal;
use crate::store::Store;
use axum::Router;
use axum::extract::{FromRef, FromRequestParts, RawPathParams, Request};
use axum::handler::Handler;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, Route, any, on};
use bedside_audit::{Action as Recorded, Actor, Event, PolicyDecision, Purpose};
use bedside_ledger::Ledger;
use bedside_policy::{Action, Context, Resource, ResourceKind};
use bedside_protocol::Phi;
use http::request::Parts;
use http::{Method, StatusCode};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tower::{Layer, Service};

/// Routes, each with the action that it is.
pub(crate) struct Routes<S = App> {
    router: Router<S>,
    endpoints: Vec<Endpoint>,
}

/// One route.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Endpoint {
    /// `GET`, ...; `*` for any.
    pub(crate) method: &'static str,
    /// Template of the path.
    pub(crate) path: &'static str,
    /// What is asked for.
    pub(crate) action: Action,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that mounts routes, and asks for each"
)]
impl<S> Routes<S>
where
    S: Clone + Send + Sync + 'static,
    App: FromRef<S>,
{
    pub(crate) fn new() -> Self {
        Self {
            router: Router::new(),
            endpoints: Vec::new(),
        }
    }

    /// Mounts a handler. What the request is about is the installation, or what the path's
    /// `{room}` or `{account}` names; where the path names neither, the handler asks.
    pub(crate) fn on<H, T>(
        self,
        method: Method,
        path: &'static str,
        action: Action,
        handler: H,
    ) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let when = match action.resource() {
            ResourceKind::Installation => When::Before,
            ResourceKind::Consult if path.contains("{room}") => When::Before,
            ResourceKind::Account if path.contains("{account}") => When::Before,
            ResourceKind::Consult | ResourceKind::Account => When::Within,
        };
        self.mount(Some(method), path, action, when, handler)
    }

    /// Mounts a handler for any method that asks by itself: one that answers a refusal in a form of
    /// its own.
    pub(crate) fn asking_any<H, T>(self, path: &'static str, action: Action, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.mount(None, path, action, When::Within, handler)
    }

    fn mount<H, T>(
        mut self,
        method: Option<Method>,
        path: &'static str,
        action: Action,
        when: When,
        handler: H,
    ) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let guarded = Guarded {
            handler,
            action,
            when,
        };
        let (method, route) = match method {
            Some(method) => {
                let (name, filter) = named(&method);
                (name, on(filter, guarded))
            }
            None => ("*", any(guarded)),
        };
        self.endpoints.push(Endpoint {
            method,
            path,
            action,
        });
        self.router = self.router.route(path, route);
        self
    }

    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.endpoints.extend(other.endpoints);
        self
    }

    pub(crate) fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: axum::response::IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.router = self.router.layer(layer);
        self
    }

    /// The router, to which only what needs no decision may be added: a fallback that refuses,
    /// and layers.
    pub(crate) fn into_router(self) -> Router<S> {
        self.router
    }

    /// Every route that was mounted.
    #[cfg(test)]
    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }
}

/// Records that the policies in force are not those of the start before.
///
/// # Errors
/// The database's, the log's.
pub(crate) async fn note_policies(store: &Store, ledger: &Ledger, hash: &str) -> Result<(), Error> {
    let before = store.policies_in_force().await?;
    if before.as_deref() == Some(hash) {
        return Ok(());
    }
    let mut event = Event::new(now_us(), Recorded::PolicyChange, Actor::SYSTEM);
    event.purpose = Purpose::Operations;
    event.facts.insert("hash", hash.into());
    if let Some(before) = before {
        event.facts.insert("hash_before", before.into());
    }
    ledger.record(event).await?;
    store.set_policies_in_force(hash).await
}

fn named(method: &Method) -> (&'static str, MethodFilter) {
    match *method {
        Method::GET => ("GET", MethodFilter::GET),
        Method::HEAD => ("HEAD", MethodFilter::HEAD),
        Method::POST => ("POST", MethodFilter::POST),
        Method::PATCH => ("PATCH", MethodFilter::PATCH),
        Method::DELETE => ("DELETE", MethodFilter::DELETE),
        _ => unreachable!("our own routes use no other method"),
    }
}

/// When the policies are asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum When {
    /// Before the handler runs.
    Before,
    /// By the handler.
    Within,
}

/// A handler behind its action.
#[derive(Clone)]
struct Guarded<H> {
    handler: H,
    action: Action,
    when: When,
}

impl<H, T, S> Handler<T, S> for Guarded<H>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
    App: FromRef<S>,
{
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, state: S) -> Self::Future {
        Box::pin(async move {
            let app = App::from_ref(&state);
            let (mut parts, body) = request.into_parts();
            let asking = Asking {
                action: self.action,
                asked: Arc::new(AtomicBool::new(false)),
            };
            if self.when == When::Before
                && let Err(response) = before(&app, &asking, &mut parts, &state).await
            {
                return response;
            }
            parts.extensions.insert(asking.clone());
            let request = Request::from_parts(parts, body);
            let response = self.handler.call(request, state).await;
            asking.vouch_for(response)
        })
    }
}

async fn before<S>(app: &App, asking: &Asking, parts: &mut Parts, state: &S) -> Result<(), Response>
where
    S: Send + Sync,
    App: FromRef<S>,
{
    let principal = if is_public(asking.action) {
        // Whoever asks for what anybody may have is not looked up: a session that is over must
        // not keep its browser from the page.
        Principal::unknown(None)
    } else {
        Principal::from_request_parts(parts, state)
            .await
            .map_err(axum::response::IntoResponse::into_response)?
    };
    let named = match asking.action.resource() {
        ResourceKind::Installation => String::new(),
        ResourceKind::Consult => path_parameter(parts, "room").await,
        ResourceKind::Account => path_parameter(parts, "account").await,
    };
    let resource = match asking.action.resource() {
        ResourceKind::Installation => Resource::Installation,
        ResourceKind::Consult => Resource::Consult(Phi::new(named)),
        ResourceKind::Account => Resource::Account(Phi::new(named)),
    };
    let decided = asking.decide(app, &principal, resource).await;
    let decision = decided.map_err(Denied::into_response)?;
    parts.extensions.insert(decision);
    Ok(())
}

async fn path_parameter(parts: &mut Parts, wanted: &str) -> String {
    let parameters = RawPathParams::from_request_parts(parts, &()).await;
    parameters
        .iter()
        .flatten()
        .find_map(|(name, value)| (name == wanted).then(|| value.to_owned()))
        .unwrap_or_default()
}

const fn is_public(action: Action) -> bool {
    matches!(
        action,
        Action::OpenPage
            | Action::CheckHealth
            | Action::LogIn
            | Action::OpenLink
            | Action::KeepSession
    )
}

/// The question that a request's handler may put, or must where the guard could not.
#[derive(Clone, Debug)]
pub(crate) struct Asking {
    action: Action,
    asked: Arc<AtomicBool>,
}

impl Asking {
    /// Asks the policies; a denial is recorded.
    ///
    /// # Errors
    /// [`Denied`], which answers the request.
    pub(crate) async fn decide(
        &self,
        app: &App,
        principal: &Principal,
        resource: Resource,
    ) -> Result<PolicyDecision, Denied> {
        self.ask(app, principal, resource, false).await
    }

    /// The question of another action, where that is what the request comes to.
    pub(crate) fn instead(&self, action: Action) -> Self {
        Self {
            action,
            asked: Arc::clone(&self.asked),
        }
    }

    /// The same, where an emergency with a reason was declared.
    ///
    /// # Errors
    /// [`Denied`], which answers the request.
    pub(crate) async fn decide_in_emergency(
        &self,
        app: &App,
        principal: &Principal,
        resource: Resource,
    ) -> Result<PolicyDecision, Denied> {
        self.ask(app, principal, resource, true).await
    }

    async fn ask(
        &self,
        app: &App,
        principal: &Principal,
        resource: Resource,
        emergency: bool,
    ) -> Result<PolicyDecision, Denied> {
        self.asked.store(true, Ordering::Relaxed);
        let standing = caller::standing(app, principal, &resource)
            .await
            .map_err(|error| {
                tracing::error!(%error, "whose a consult is could not be looked up");
                Denied::Unavailable
            })?;
        let context = Context {
            own: standing.own,
            admitted: standing.admitted,
            workforce_login: app.workforce_login,
            emergency,
        };
        let asks = caller::asks(principal, self.action);
        let decision = app.policies.decide(&asks, self.action, &resource, &context);
        if decision.allowed {
            return Ok(decision.decision);
        }
        let known = !asks.capacities.contains(&bedside_policy::Capacity::Nobody);
        denied::record(app, principal, self.action, &resource, decision.decision);
        Err(if known {
            Denied::Policy
        } else {
            Denied::Unauthenticated
        })
    }

    /// An answer that grants something without a decision is a defect, and is not given.
    fn vouch_for(&self, response: Response) -> Response {
        let status = response.status();
        let grants = status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS;
        if grants && !self.asked.load(Ordering::Relaxed) {
            tracing::error!(
                action = self.action.name(),
                "a route answered without asking the policies; this is a defect of bedside"
            );
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        response
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Asking {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        // Every route has one: `Routes` puts it there.
        parts
            .extensions
            .get()
            .cloned()
            .ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}
