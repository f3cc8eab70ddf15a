//! The policies in force.

use crate::{Action, Capacity, Context, Error, Principal, Resource, ResourceKind, source};
use aws_lc_rs::digest::{Context as Hasher, SHA256};
use bedside_audit::PolicyDecision;
use cedar_policy::{
    Authorizer, Context as CedarContext, Decision as CedarDecision, Entities, Entity, EntityId,
    EntityTypeName, EntityUid, PolicyId, PolicySet, Request, RestrictedExpression, Schema,
    ValidationMode, Validator,
};
use miette::Diagnostic;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::path::Path;
use std::str::FromStr as _;

/// The policies in force: loaded once, asked by everyone.
pub struct Policies {
    set: PolicySet,
    authorizer: Authorizer,
    /// The actions and the groups they are in.
    groups: Entities,
    actions: HashMap<Action, EntityUid>,
    roles: HashMap<Capacity, EntityUid>,
    principals: EntityTypeName,
    resources: HashMap<ResourceKind, EntityTypeName>,
    hash: String,
}

impl std::fmt::Debug for Policies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policies")
            .field("policies", &self.len())
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

/// What was decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// Whether it may be done.
    pub allowed: bool,
    /// For the record: which policies decided, and the hash of all. No policy means that none
    /// allowed it.
    pub decision: PolicyDecision,
}

impl Policies {
    /// The built-in policies, with those of `folder` over them.
    ///
    /// # Errors
    /// A file that cannot be read, is no Cedar or does not fit the schema: which file, which
    /// line. Nothing is decided with half of the policies.
    pub fn load(folder: Option<&Path>) -> Result<Self, Error> {
        let files = source::files(folder)?;
        let (schema, _) = Schema::from_cedarschema_str(source::SCHEMA.1).map_err(|error| {
            parse_error(
                source::SCHEMA.0,
                source::SCHEMA.1,
                &error,
                error.to_string(),
            )
        })?;
        let (set, places) = parse(&files)?;
        validate(&schema, &set, &files, &places)?;
        let groups = schema
            .action_entities()
            .expect("a schema whose actions form no cycle was accepted");
        let (action_type, role_type) = (entity_type("Action"), entity_type("Role"));
        Ok(Self {
            set,
            authorizer: Authorizer::new(),
            groups,
            actions: Action::ALL
                .iter()
                .map(|&action| (action, uid(&action_type, action.name())))
                .collect(),
            roles: Capacity::ALL
                .iter()
                .map(|&capacity| (capacity, uid(&role_type, capacity.name())))
                .collect(),
            principals: entity_type("Principal"),
            resources: ResourceKind::ALL
                .iter()
                .map(|&kind| (kind, entity_type(kind.name())))
                .collect(),
            hash: hash(&files),
        })
    }

    /// SHA-256 of the schema and the policies, hexadecimal: for each file in the order of its
    /// name, the schema first, the name, a zero byte, the length in decimal, a zero byte, the
    /// text.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// How many policies are in force.
    #[must_use]
    pub fn len(&self) -> usize {
        self.set.policies().count()
    }

    /// Whether there is none: nothing is allowed then.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it may be done. What cannot be evaluated is denied.
    #[must_use]
    pub fn decide(
        &self,
        principal: &Principal,
        action: Action,
        resource: &Resource,
        context: &Context,
    ) -> Decision {
        let allowed_by = self.evaluate(principal, action, resource, context);
        let (allowed, policies) = allowed_by.unwrap_or_default();
        Decision {
            allowed,
            decision: PolicyDecision {
                policies,
                hash: self.hash.clone(),
            },
        }
    }

    fn evaluate(
        &self,
        principal: &Principal,
        action: Action,
        resource: &Resource,
        context: &Context,
    ) -> Option<(bool, Vec<String>)> {
        if action.resource() != resource.kind() {
            return None;
        }
        let roles = principal
            .capacities
            .iter()
            .map(|capacity| self.roles.get(capacity).cloned())
            .collect::<Option<HashSet<_>>>()?;
        let who = uid(&self.principals, principal.id.expose());
        let what = uid(self.resources.get(&resource.kind())?, resource.id());
        let mfa_age_s = principal
            .mfa_age_s
            .and_then(|age| i64::try_from(age).ok())
            .unwrap_or(i64::MAX);
        let attributes = HashMap::from([
            (
                "mfa".to_owned(),
                RestrictedExpression::new_bool(principal.mfa_age_s.is_some()),
            ),
            (
                "mfa_age_s".to_owned(),
                RestrictedExpression::new_long(mfa_age_s),
            ),
            (
                "vouched".to_owned(),
                RestrictedExpression::new_bool(principal.vouched),
            ),
        ]);
        let entity = Entity::new(who.clone(), attributes, roles).ok()?;
        let entities = self.groups.clone().add_entities([entity], None).ok()?;
        let situation = [
            ("own", context.own),
            ("admitted", context.admitted),
            ("workforce_login", context.workforce_login),
            ("emergency", context.emergency),
        ];
        let situation = CedarContext::from_pairs(
            situation.map(|(name, value)| (name.to_owned(), RestrictedExpression::new_bool(value))),
        )
        .ok()?;
        let action = self.actions.get(&action)?.clone();
        let request = Request::new(who, action, what, situation, None).ok()?;
        let answer = self
            .authorizer
            .is_authorized(&request, &self.set, &entities);
        let diagnostics = answer.diagnostics();
        // A forbid that could not be evaluated must not count as one that did not apply.
        let failed = diagnostics.errors().next().is_some();
        let mut policies: Vec<String> = diagnostics.reason().map(ToString::to_string).collect();
        policies.sort_unstable();
        Some((
            answer.decision() == CedarDecision::Allow && !failed,
            policies,
        ))
    }
}

/// Where a policy stands: the file's name.
type Places = BTreeMap<String, String>;

fn parse(files: &BTreeMap<String, String>) -> Result<(PolicySet, Places), Error> {
    let mut set = PolicySet::new();
    let mut places = Places::new();
    for (file, text) in files {
        let parsed = PolicySet::from_str(text)
            .map_err(|errors| parse_error(file, text, &errors, errors.to_string()))?;
        for policy in parsed.policies() {
            let unnamed = |line| Error::Id {
                file: file.clone(),
                line,
            };
            let id = policy
                .annotation("id")
                .filter(|id| !id.is_empty())
                .ok_or_else(|| unnamed(line_of_policy(text, &policy.to_string())))?;
            if places.insert(id.to_owned(), file.clone()).is_some() {
                return Err(unnamed(line_of_id(text, id)));
            }
            let named = policy.new_id(PolicyId::new(id));
            set.add(named)
                .expect("ids are unique, and a static policy has no template");
        }
        if let Some(template) = parsed.templates().next() {
            return Err(Error::Parse {
                file: file.clone(),
                line: line_of_policy(text, &template.to_string()),
                cause: "templates (?principal, ?resource) are not used here".to_owned(),
            });
        }
    }
    Ok((set, places))
}

fn validate(
    schema: &Schema,
    set: &PolicySet,
    files: &BTreeMap<String, String>,
    places: &Places,
) -> Result<(), Error> {
    let result = Validator::new(schema.clone()).validate(set, ValidationMode::Strict);
    let Some(error) = result.validation_errors().next() else {
        return Ok(());
    };
    let file = places
        .get::<str>(error.policy_id().as_ref())
        .cloned()
        .unwrap_or_default();
    let text = files.get(&file).map_or("", String::as_str);
    let line = match offset(error) {
        Some(offset) => line_at(text, offset),
        None => line_of_id(text, error.policy_id().as_ref()),
    };
    Err(Error::Invalid {
        file,
        line,
        cause: error.to_string(),
    })
}

fn parse_error(file: &str, text: &str, error: &dyn Diagnostic, cause: String) -> Error {
    Error::Parse {
        file: file.to_owned(),
        line: offset(error).map_or(1, |offset| line_at(text, offset)),
        cause,
    }
}

/// Where an error points to, in bytes from the file's start.
fn offset(error: &dyn Diagnostic) -> Option<usize> {
    error
        .labels()
        .and_then(|mut labels| labels.next())
        .map(|label| label.offset())
}

fn line_at(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or(text);
    before.matches('\n').count() + 1
}

fn line_of_id(text: &str, id: &str) -> usize {
    text.rfind(&format!("@id(\"{id}\")"))
        .map_or(1, |offset| line_at(text, offset))
}

fn line_of_policy(text: &str, policy: &str) -> usize {
    text.find(policy.trim())
        .map_or(1, |offset| line_at(text, offset))
}

fn hash(files: &BTreeMap<String, String>) -> String {
    let mut hasher = Hasher::new(&SHA256);
    let schema = [(source::SCHEMA.0, source::SCHEMA.1)];
    let others = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()));
    for (name, text) in schema.into_iter().chain(others) {
        hasher.update(name.as_bytes());
        hasher.update(format!("\0{}\0", text.len()).as_bytes());
        hasher.update(text.as_bytes());
    }
    let mut text = String::with_capacity(64);
    for byte in hasher.finish().as_ref() {
        write!(text, "{byte:02x}").expect("a String takes everything");
    }
    text
}

fn entity_type(name: &str) -> EntityTypeName {
    EntityTypeName::from_str(&format!("Bedside::{name}")).expect("a name of the schema's")
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}
