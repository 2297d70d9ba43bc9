//! [`Route`]: one operation, how it is answered, and what the OpenAPI document says of it. The
//! router and the document are made from the same list, so neither has what the other lacks.

use axum::Router;
use axum::routing::MethodRouter;
use utoipa::ToSchema;
use utoipa::openapi::path::{
    Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ComponentsBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{
    Content, HttpMethod, Info, OpenApiBuilder, PathItem, PathsBuilder, Ref, RefOr, Required,
    ResponseBuilder,
};

use super::problem::{PROBLEM_JSON, Problem};

/// One path with one method, or with any.
pub(crate) struct Route<S> {
    /// As axum writes it: `/v1/jobs/{id}`.
    path: &'static str,
    methods: Vec<HttpMethod>,
    handler: MethodRouter<S>,
    operation: Operation,
    schemas: Vec<(String, RefOr<Schema>)>,
}

impl<S: Clone + Send + Sync + 'static> Route<S> {
    /// A route, and the name and summary of its operation.
    pub(crate) fn new(
        methods: &[HttpMethod],
        path: &'static str,
        handler: MethodRouter<S>,
        name: &str,
        summary: &str,
    ) -> Self {
        let mut operation = OperationBuilder::new()
            .operation_id(Some(name))
            .summary(Some(summary));
        for parameter in parameters(path) {
            operation = operation.parameter(parameter);
        }
        let route = Self {
            path,
            methods: methods.to_vec(),
            handler,
            operation: operation.build(),
            schemas: Vec::new(),
        };
        route.problem("default", "Anything else that went wrong")
    }

    /// What else there is to say.
    pub(crate) fn says(self, description: &str) -> Self {
        self.with(|operation| operation.description(Some(description)))
    }

    /// A parameter of the query.
    pub(crate) fn query(self, name: &str, kind: Type, description: &str) -> Self {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Query)
            .required(Required::False)
            .description(Some(description))
            .schema(Some(ObjectBuilder::new().schema_type(kind)));
        self.with(|operation| operation.parameter(parameter))
    }

    /// A body of JSON that it takes.
    pub(crate) fn takes<T: ToSchema>(mut self, description: &str) -> Self {
        let schema = self.schema::<T>();
        let body = RequestBodyBuilder::new()
            .description(Some(description))
            .required(Some(Required::True))
            .content("application/json", Content::new(Some(schema)));
        self.with(|operation| operation.request_body(Some(body.build())))
    }

    /// A body of bytes that it takes.
    pub(crate) fn takes_bytes(self, description: &str) -> Self {
        let body = RequestBodyBuilder::new()
            .description(Some(description))
            .content("application/octet-stream", Content::default());
        self.with(|operation| operation.request_body(Some(body.build())))
    }

    /// A body of JSON that it takes, if there is one.
    pub(crate) fn may_take<T: ToSchema>(mut self, description: &str) -> Self {
        let schema = self.schema::<T>();
        let body = RequestBodyBuilder::new()
            .description(Some(description))
            .required(Some(Required::False))
            .content("application/json", Content::new(Some(schema)));
        self.with(|operation| operation.request_body(Some(body.build())))
    }

    /// A body of text that it takes.
    pub(crate) fn takes_text(self, description: &str) -> Self {
        let body = RequestBodyBuilder::new()
            .description(Some(description))
            .required(Some(Required::True))
            .content("text/plain", Content::default());
        self.with(|operation| operation.request_body(Some(body.build())))
    }

    /// An answer of lines of JSON.
    pub(crate) fn gives_lines<T: ToSchema>(
        mut self,
        status: u16,
        kind: &str,
        description: &str,
    ) -> Self {
        let schema = self.schema::<T>();
        let response = ResponseBuilder::new()
            .description(description)
            .content(kind, Content::new(Some(schema)));
        self.with(|operation| operation.response(status.to_string(), response.build()))
    }

    /// An answer of JSON.
    pub(crate) fn answers<T: ToSchema>(mut self, status: u16, description: &str) -> Self {
        let schema = self.schema::<T>();
        let response = ResponseBuilder::new()
            .description(description)
            .content("application/json", Content::new(Some(schema)));
        self.with(|operation| operation.response(status.to_string(), response.build()))
    }

    /// An answer with bodies of these types, or with none.
    pub(crate) fn gives(self, status: u16, types: &[&str], description: &str) -> Self {
        let mut response = ResponseBuilder::new().description(description);
        for kind in types {
            response = response.content(*kind, Content::default());
        }
        self.with(|operation| operation.response(status.to_string(), response.build()))
    }

    /// Problems that are particular to it: what each status means here.
    pub(crate) fn fails(self, statuses: &[(u16, &str)]) -> Self {
        let add = |route: Self, (status, description): &(u16, &str)| {
            route.problem(&status.to_string(), description)
        };
        statuses.iter().fold(self, add)
    }

    fn problem(mut self, status: &str, description: &str) -> Self {
        let schema = self.schema::<Problem>();
        let response = ResponseBuilder::new()
            .description(description)
            .content(PROBLEM_JSON, Content::new(Some(schema)));
        self.with(|operation| operation.response(status, response.build()))
    }

    /// Notes the schemas of a type, and refers to it.
    fn schema<T: ToSchema>(&mut self) -> RefOr<Schema> {
        let name = T::name().into_owned();
        self.schemas.push((name.clone(), T::schema()));
        T::schemas(&mut self.schemas);
        RefOr::Ref(Ref::from_schema_name(name))
    }

    fn with(mut self, change: impl FnOnce(OperationBuilder) -> OperationBuilder) -> Self {
        self.operation = change(self.operation.into()).build();
        self
    }

    /// The operation of one of its methods. Each has a name of its own.
    fn operation(&self, method: &HttpMethod) -> Operation {
        let mut operation = self.operation.clone();
        if let ([_, _, ..], Some(name)) = (&self.methods[..], &mut operation.operation_id) {
            let method = serde_json::to_value(method).unwrap_or_default();
            name.push('_');
            name.push_str(method.as_str().unwrap_or_default());
        }
        operation
    }
}

/// The document that grows with the routers.
pub(crate) struct Document {
    paths: PathsBuilder,
    components: ComponentsBuilder,
}

impl Document {
    pub(crate) fn new() -> Self {
        Self {
            paths: PathsBuilder::new(),
            components: ComponentsBuilder::new(),
        }
    }

    /// A router of these routes, which are in the document from now on.
    pub(crate) fn router<S>(&mut self, routes: Vec<Route<S>>) -> Router<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        let mut router = Router::new();
        for route in routes {
            let path = route.path.replace("{*", "{");
            for method in &route.methods {
                let item = PathItem::new(method.clone(), route.operation(method));
                let paths = std::mem::take(&mut self.paths);
                self.paths = paths.path(path.clone(), item);
            }
            for (name, schema) in route.schemas {
                let components = std::mem::take(&mut self.components);
                self.components = components.schema(name, schema);
            }
            router = router.route(route.path, route.handler);
        }
        router
    }

    /// The whole, as JSON.
    pub(crate) fn into_json(self) -> String {
        self.into_json_about("Incumbent cluster", ABOUT)
    }

    /// The whole, as JSON, about something else than `/v1` of a node.
    pub(crate) fn into_json_about(self, title: &str, about: &str) -> String {
        let mut info = Info::new(title, "1");
        info.description = Some(about.into());
        let document = OpenApiBuilder::new()
            .info(info)
            .paths(self.paths)
            .components(Some(self.components.build()))
            .build();
        document.to_json().expect("the document is JSON")
    }
}

const ABOUT: &str = "Every node answers every request. What needs the leading JobManager is passed \
     on to it, and held for up to 30 s while nobody leads. Changes are idempotent: repeat them \
     without fear. Errors are application/problem+json. With a token, requests carry \
     `Authorization: Bearer TOKEN`.";

/// The parameters in a path.
fn parameters(path: &str) -> Vec<Parameter> {
    let names = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |name: &str| {
        let name = name.trim_start_matches('*');
        let description = match name {
            "id" => "The id of a query, as it was read",
            "job" => {
                "The id of a job, or the name of a live one, or else of the one of this name that ended last"
            }
            "savepoint" => "The id of a savepoint: 32 hexadecimal digits",
            "state" => "The name of a state",
            "key" => "A key, as JSON or as text",
            "name" => "The name of a record; it may have slashes",
            "rank" => "The place of a task in its gang, from 0",
            "digest" => "A SHA-256: 64 hexadecimal digits in lower case",
            "n" => "The number of a checkpoint, or `final`",
            "file" => {
                "The name of a file: 1 to 128 of `A-Z a-z 0-9 . _ -`, no dot at its beginning"
            }
            "node" => "The name of a TaskManager, or the nonce of its process",
            _ => "The rest of the path, which the task gets",
        };
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some(description))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .build()
    };
    names.map(parameter).collect()
}
