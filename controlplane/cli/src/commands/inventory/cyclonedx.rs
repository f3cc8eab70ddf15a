//! The inventory as a CycloneDX 1.6 document (ECMA-424): programs and certificates as components,
//! hosts that are told something as services.

use bedside_server::inventory::{CertificateInUse, Flow, Ground, Inventory, Process};
use serde_json::{Value, json};

pub(super) fn document(report: &Inventory) -> Value {
    let host = &report.host;
    let programs = report.processes.iter().map(program);
    let certificates = report.certificates.iter().map(certificate);
    let mut components: Vec<_> = programs.chain(certificates).collect();
    components.push(json!({
        "type": "operating-system",
        "bom-ref": "host",
        "name": host.system.as_deref().unwrap_or("Linux"),
        "version": host.kernel,
    }));
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": { "type": "application", "bom-ref": "bedside", "name": "bedside" },
            "properties": [
                property("profile", &report.profile),
                property("configuration", &report.configuration),
                property("host", &host.name),
                property("taken_at", &report.at.to_string()),
            ],
        },
        "components": components,
        "services": report.flows.iter().map(service).collect::<Vec<_>>(),
    })
}

fn program(process: &Process) -> Value {
    let name = match process.name.as_str() {
        "control plane" => "bedside",
        _ => "bedside-dataplane",
    };
    let mut component = json!({
        "type": "application",
        "bom-ref": format!("process-{}", process.pid),
        "name": name,
        "properties": [
            property("pid", &process.pid.to_string()),
            property("capabilities", &process.capabilities),
        ],
    });
    if let Some(version) = &process.version {
        component["version"] = json!(version);
    }
    component
}

fn certificate(certificate: &CertificateInUse) -> Value {
    json!({
        "type": "cryptographic-asset",
        "bom-ref": format!("certificate-{}", certificate.fingerprint),
        "name": certificate.names.first().map_or("certificate", String::as_str),
        "hashes": [{ "alg": "SHA-256", "content": certificate.fingerprint }],
        "cryptoProperties": {
            "assetType": "certificate",
            "certificateProperties": {
                "subjectName": certificate.names.join(", "),
                "certificateFormat": "X.509",
            },
        },
        "properties": [
            property("not_after", &certificate.not_after.to_string()),
            property("key", &certificate.key),
        ],
    })
}

fn service(flow: &Flow) -> Value {
    let (ground, provider) = match &flow.ground {
        Ground::ThisMachine => ("this machine".to_owned(), None),
        Ground::OwnHost => ("own host".to_owned(), None),
        Ground::Agreement {
            agreement, entity, ..
        } => (agreement.clone(), Some(entity)),
        Ground::None => ("none".to_owned(), None),
    };
    let mut service = json!({
        "bom-ref": format!("{}-{}", flow.setting, flow.host),
        "name": flow.host,
        "x-trust-boundary": flow.ground != Ground::ThisMachine,
        "data": [{ "flow": "outbound", "classification": flow.purpose }],
        "properties": [property("setting", &flow.setting), property("agreement", &ground)],
    });
    if let Some(entity) = provider {
        service["provider"] = json!({ "name": entity });
    }
    service
}

fn property(name: &str, value: &str) -> Value {
    json!({ "name": format!("bedside:{name}"), "value": value })
}
