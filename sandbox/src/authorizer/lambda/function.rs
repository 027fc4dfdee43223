//! Facts about a Lambda function: its name, its region and account, its log.

use serde_json::{Value, json};

use crate::policy::ArnScope;
use crate::uuid;

/// Facts about a Lambda function that its process is told.
#[derive(Debug, Clone)]
pub(super) struct FunctionFacts {
    pub(super) name: String,
    pub(super) region: String,
    account: String,
    pub(super) log_stream: String,
}

impl FunctionFacts {
    /// Facts about the function `name`. `region` is that of its environment, if that has one.
    pub(super) fn new(name: &str, region: Option<String>, scope: Option<&ArnScope>) -> Self {
        // The configured region first, then that of the scope, then the default.
        let region = region.or_else(|| scope.map(|scope| scope.region.clone()));
        Self {
            name: name.into(),
            region: region.unwrap_or_else(|| DEFAULT_REGION.into()),
            account: scope.map_or(DEFAULT_ACCOUNT, |scope| &scope.account).into(),
            log_stream: format!("dunlin/[$LATEST]{}", uuid::random().replace('-', "")),
        }
    }

    /// The facts of one call, by the names of Node's context.
    pub(super) fn context(&self) -> Value {
        let Self {
            name,
            region,
            account,
            ..
        } = self;
        json!({
            "awsRequestId": uuid::random(),
            "functionName": name,
            "functionVersion": VERSION,
            "invokedFunctionArn": format!("arn:aws:lambda:{region}:{account}:function:{name}"),
            "memoryLimitInMB": MEMORY,
            "logGroupName": self.log_group(),
            "logStreamName": self.log_stream,
        })
    }

    /// Name of the log group in CloudWatch.
    pub(super) fn log_group(&self) -> String {
        format!("/aws/lambda/{}", self.name)
    }
}

/// Version of every function.
pub(super) const VERSION: &str = "$LATEST";
/// Memory in MB: AWS's default. The sandbox doesn't enforce it.
pub(super) const MEMORY: &str = "128";
/// Region and account of `sam local`.
const DEFAULT_REGION: &str = "us-east-1";
const DEFAULT_ACCOUNT: &str = "123456789012";
