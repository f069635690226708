//! Answers held against the service's own description of them.

use std::collections::BTreeSet;

use jsonschema::Validator;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// The document at `/api/openapi.json`.
#[derive(Clone, Debug)]
pub(crate) struct Description(Value);

impl Description {
    /// Makes the document strict: what it does not list is not to be answered. A problem may tell more, and says so.
    pub(crate) fn strict(mut document: Value) -> Self {
        assert_eq!(document["openapi"], "3.1.0");
        let schemas = document["components"]["schemas"].as_object_mut().unwrap();
        for (name, schema) in schemas {
            // Other schemas have all of an account among theirs.
            if schema.get("allOf").is_some() {
                schema["unevaluatedProperties"] = json!(false);
            } else if schema["type"] == "object" && name != "Problem" && name != "Account" {
                schema["additionalProperties"] = json!(false);
            }
        }
        Self(document)
    }

    /// Everything that can be asked for: methods and paths.
    pub(crate) fn operations(&self) -> BTreeSet<(Method, String)> {
        let paths = self.0["paths"].as_object().unwrap();
        let of = |(path, methods): (&String, &Value)| {
            let methods = methods.as_object().unwrap().keys();
            let method = |method: &String| method.to_uppercase().parse().unwrap();
            methods.map(|it| (method(it), path.clone())).collect::<Vec<(Method, String)>>()
        };
        paths.iter().flat_map(of).collect()
    }

    /// Fails unless the answer is one of those that the document has for the request. What is asked for and is not in
    /// the document at all is answered with a problem.
    pub(crate) fn check(
        &self,
        method: &Method,
        path: &str,
        status: StatusCode,
        content_type: &str,
        body: &Value,
    ) {
        let path = path.split('?').next().unwrap();
        let Some(template) = self.template(path) else {
            assert!(!status.is_success(), "{path} is not described, and is answered {status}");
            return self.check_schema(&json!({ "$ref": "#/components/schemas/Problem" }), body);
        };
        let method = method.as_str().to_lowercase();
        let responses = &self.0["paths"][template][&method]["responses"];
        let response = &responses[status.as_str()];
        let response = if response.is_null() { &responses["default"] } else { response };
        let content = response["content"].as_object();
        let content = content.unwrap_or_else(|| panic!("{method} {path}: {status} is not described"));
        let described = content.get(content_type);
        let described = described.unwrap_or_else(|| panic!("{method} {path}: {status} has {content_type}"));
        assert_eq!(
            response == &responses["default"],
            !status.is_success() && responses[status.as_str()].is_null()
        );
        self.check_schema(&described["schema"], body);
    }

    /// A value that the document has a name for.
    pub(crate) fn check_named(&self, name: &str, value: &Value) {
        self.check_schema(&json!({ "$ref": format!("#/components/schemas/{name}") }), value);
    }

    fn check_schema(&self, schema: &Value, value: &Value) {
        let mut schema = schema.clone();
        schema["components"] = self.0["components"].clone();
        let validator: Validator = jsonschema::draft202012::new(&schema).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?} in {value:#}");
    }

    fn template(&self, path: &str) -> Option<&str> {
        let mut paths = self.0["paths"].as_object().unwrap().keys();
        let fits = |template: &&String| {
            let (template, path): (Vec<_>, Vec<_>) =
                (template.split('/').collect(), path.split('/').collect());
            template.len() == path.len()
                && template.iter().zip(path).all(|(part, found)| part.starts_with('{') || *part == found)
        };
        paths.find(fits).map(String::as_str)
    }
}
