//! A web-api on a free port with a worker beside it, as they are shipped, and a client to talk to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jobs::catalog::{Catalog, FunctionSettings};
use jobs::job::QueueName;
use jobs::logging::LogSettings;
use jobs::queue::{Queues, RedisSettings};
use jobs::worker::{self, WorkerSettings};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use web_api::app::App;
use web_api::config::{Config, ServerSettings};
use web_api::db::Store;
use web_api::http::routes;
use web_api::http::server::Listening;
use web_api::serve;

use super::{Database, RedisServer, TestDatabase, eventually};

/// A server of one test, which ends with it.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
    pub(crate) redis: RedisServer,
    pub(crate) database: Database,
    catalog: Arc<Catalog>,
    running: JoinHandle<anyhow::Result<()>>,
    shutdown: CancellationToken,
    _end: DropGuard,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct ApiResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl TestServer {
    /// With a worker.
    pub(crate) async fn start(kind: TestDatabase) -> Self {
        let server = Self::start_with(kind, |_| ()).await;
        server.start_worker();
        server
    }

    /// Without a worker, so that jobs stay as they are.
    pub(crate) async fn idle(kind: TestDatabase) -> Self {
        Self::start_with(kind, |_| ()).await
    }

    /// Without a worker, set up as the test likes.
    pub(crate) async fn start_with(kind: TestDatabase, set_up: impl FnOnce(&mut Config)) -> Self {
        Self::on(Database::new(kind).await, set_up).await
    }

    /// The same on a database that is there already.
    pub(crate) async fn on(database: Database, set_up: impl FnOnce(&mut Config)) -> Self {
        let catalog = Catalog::new(&FunctionSettings::default()).unwrap();
        Self::launch(database, catalog, set_up, |listening, config, _, shutdown| {
            serve::run_on(listening, config, shutdown)
        })
        .await
    }

    /// Without a worker, with functions that the test brings.
    pub(crate) async fn with_functions(
        kind: TestDatabase,
        catalog: Catalog,
        set_up: impl FnOnce(&mut Config),
    ) -> Self {
        Self::launch(Database::new(kind).await, catalog, set_up, serve_functions).await
    }

    #[expect(clippy::unused_async, reason = "it has to be called within a runtime")]
    async fn launch<F: Future<Output = anyhow::Result<()>> + Send + 'static>(
        database: Database,
        catalog: Catalog,
        set_up: impl FnOnce(&mut Config),
        serve: impl FnOnce(Listening, Config, Arc<Catalog>, CancellationToken) -> F,
    ) -> Self {
        let catalog = Arc::new(catalog);
        let redis = RedisServer::start();
        let mut config = Config {
            server: ServerSettings::default(),
            database: database.settings(),
            redis: settings(&redis),
            functions: FunctionSettings::default(),
            log: LogSettings::default(),
        };
        set_up(&mut config);
        let listening = Listening::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listening.address();
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(serve(listening, config, Arc::clone(&catalog), shutdown.clone()));
        Self {
            address,
            client: Client::builder().pool_max_idle_per_host(4).build().unwrap(),
            redis,
            database,
            catalog,
            running,
            _end: shutdown.clone().drop_guard(),
            shutdown,
        }
    }

    pub(crate) fn start_worker(&self) {
        let settings = WorkerSettings {
            redis: settings(&self.redis),
            grace: Duration::ZERO,
            ..WorkerSettings::default()
        };
        let catalog = Arc::clone(&self.catalog);
        tokio::spawn(worker::run(settings, catalog, self.shutdown.clone()));
    }

    /// Until all roles have begun: the live feed as well.
    pub(crate) async fn wait_until_ready(&self) {
        eventually("the server is ready", || async {
            (self.get("/readyz").await.status == StatusCode::OK).then_some(())
        })
        .await;
    }

    /// The queues that the server works with.
    pub(crate) async fn queues(&self) -> Queues {
        Queues::connect(&settings(&self.redis)).await.unwrap()
    }

    /// Waits until so many jobs of the standard queue wait for a worker in Redis: the API counts those as well that SQL
    /// keeps.
    pub(crate) async fn until_in_redis(&self, count: u64) {
        let queues = self.queues().await;
        eventually(&format!("{count} jobs wait in Redis"), || async {
            let depth = queues.depth(&QueueName::standard()).await.unwrap();
            (depth.queued == count).then_some(())
        })
        .await;
    }

    /// Tells the server to stop and waits until it has.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        self.running.await.unwrap()
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(self) -> anyhow::Result<()> {
        self.running.await.unwrap()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("http://{}{path}", self.address))
    }

    pub(crate) async fn get(&self, path: &str) -> ApiResponse {
        ApiResponse::of(self.request(Method::GET, path)).await
    }

    /// Posts a text as `application/json`, whatever it is.
    pub(crate) async fn post(&self, path: &str, body: impl Into<String>) -> ApiResponse {
        let request = self
            .request(Method::POST, path)
            .header("content-type", "application/json");
        ApiResponse::of(request.body(body.into())).await
    }

    /// Changes what is there.
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> ApiResponse {
        ApiResponse::of(self.request(Method::PATCH, path).json(body)).await
    }

    /// Calls a function, which is accepted; the job.
    pub(crate) async fn call(&self, function: &str, body: &Value) -> Value {
        let path = format!("/api/v1/functions/{function}/jobs");
        let answer = self.post(&path, body.to_string()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
        answer.json()
    }

    /// The job once it has reached `state`.
    pub(crate) async fn job_in_state(&self, id: &str, state: &str) -> Value {
        eventually(&format!("the job {id} is {state}"), || async {
            let job = self.get(&format!("/api/v1/jobs/{id}")).await.json();
            (job["state"] == state).then_some(job)
        })
        .await
    }
}

impl ApiResponse {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Self {
            status,
            headers,
            text: response.text().await.unwrap(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The problem, after a look at what every problem has.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}",
            self.text
        );
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["type"], format!("urn:problem-type:spiral:{code}"));
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        for member in ["title", "detail", "instance"] {
            assert!(
                problem[member].as_str().is_some_and(|text| !text.is_empty()),
                "{member} of {problem}"
            );
        }
        assert!(problem["errors"].is_array(), "{problem}");
        problem
    }
}

/// As the plain mode does it, with other functions.
async fn serve_functions(
    listening: Listening,
    config: Config,
    catalog: Arc<Catalog>,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let store = Store::connect(&config.database).await?;
    let queues = Queues::connect(&config.redis).await?;
    let router = routes::router();
    let app = App::start(config.server, catalog, store.clone(), queues, shutdown.clone())?;
    listening.serve(router, app.state(), shutdown).await?;
    app.end().await;
    Ok(store.close().await?)
}

fn settings(redis: &RedisServer) -> RedisSettings {
    RedisSettings {
        timeout: Duration::from_secs(1),
        ..redis.settings()
    }
}
