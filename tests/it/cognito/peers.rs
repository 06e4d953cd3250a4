//! The collector against moto, whose Cognito nobody here wrote: pools in three Regions,
//! counted by the exporter as boto3 describes them.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::Duration,
};

use crate::{
    peers::{Peer, python},
    support::{Exporter, KEY},
};

/// Makes pools of every setting of MFA in three Regions, over a page of sixty in one of
/// them, and prints what boto3 then says of each.
const WORLD: &str = r#"
import boto3, json
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
host, port = server.get_host_and_port()
said = []
for region, count in (("eu-west-1", 63), ("us-east-1", 3), ("ap-southeast-2", 1)):
    client = boto3.client("cognito-idp", region_name=region, endpoint_url=f"http://{host}:{port}", aws_access_key_id="x", aws_secret_access_key="x")
    for number in range(count):
        pool = client.create_user_pool(PoolName=f"pool-{number}", MfaConfiguration=("ON", "OPTIONAL", "OFF")[number % 3], SmsConfiguration={"SnsCallerArn": "arn:aws:iam::123456789012:role/sms"})
    for page in client.get_paginator("list_user_pools").paginate(MaxResults=60):
        for pool in page["UserPools"]:
            said.append(client.describe_user_pool(UserPoolId=pool["Id"])["UserPool"])
print(port, flush=True)
print(json.dumps([[pool["Id"], pool.get("MfaConfiguration")] for pool in said]), flush=True)
input()
"#;

#[test]
fn pools_of_moto_in_three_regions_are_counted_as_boto3_describes_them() {
    let mut python = python("python");
    python.args(["-c", WORLD]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut moto = Peer(python.spawn().unwrap());
    let mut lines = BufReader::new(moto.0.stdout.take().unwrap()).lines();
    let port = lines.next().unwrap().unwrap();
    let said: Vec<(String, Option<String>)> = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let endpoint = format!("http://127.0.0.1:{port}");
    let keys = [("AWS_ENDPOINT_URL", &*endpoint), ("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", "x")];
    let flags = [
        "--collector.cognito",
        "--collector.cognito.regions=eu-west-1,us-east-1,ap-southeast-2",
        "--collector.cognito.pools=all",
        "--no-collector.users",
        "--no-collector.devices",
    ];
    let exporter = Exporter::with_environment(&flags, &keys);
    let samples =
        exporter.wait_for("the verdict", Duration::from_secs(60), |samples| samples.status("Cognito.5") == "failed");
    assert_eq!(said.len(), 67);
    let mut wanted: BTreeMap<&str, f64> = BTreeMap::new();
    for (id, mfa) in &said {
        let mfa = mfa.as_deref().unwrap_or("OFF");
        *wanted.entry(mfa).or_default() += 1.0;
        let region = id.split('_').next().unwrap();
        let series = format!(
            "aws_mfa_cognito_user_pool_info{{account_id=\"123456789012\",aws_region=\"{region}\",user_pool_id=\"{id}\",\
             sign_in=\"password\",mfa=\"{mfa}\"}}"
        );
        assert_eq!(samples.value(&series), Some(1.0), "{series}\n{samples}");
    }
    for (mfa, count) in wanted {
        let series =
            format!("aws_mfa_cognito_user_pools{{account_id=\"123456789012\",sign_in=\"password\",mfa=\"{mfa}\"}}");
        assert_eq!(samples.value(&series), Some(count), "{mfa}");
    }
    assert_eq!(samples.fault("cognito"), "");
}
