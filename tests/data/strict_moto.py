"""moto as an AWS that is strict: an organization whose members have a role for
the exporter, authorization and signatures checked, and sessions that are over
when their time is.

Usage: strict_moto.py SECONDS, the length of a session, with {"exporter": policy,
"member": policy} as the first line of the standard input. Answers with a line
of JSON that says where it listens and whose keys are whose, then obeys words,
a line each, and says "done" after each.
"""

import datetime
import json
import logging
import sys
import threading
import time

import boto3
import requests
from moto.core.exceptions import AccessDeniedError, InvalidClientTokenIdError, SignatureDoesNotMatchError
from moto.core.utils import utcnow
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from moto.sts.models import STSBackend, sts_backends

ROLE = "aws-mfa-exporter"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def answer_refusals_as_aws_does():
    """IAM and STS put the error right below the root; moto's authorizer puts a
    list around it, in which a client of theirs looks for no code."""

    def corrected(begin):
        def begin_corrected(self, *said, **named):
            begin(self, *said, **named)
            self.description = self.description.replace("<Errors>", "").replace("</Errors>", "")

        return begin_corrected

    for refusal in (AccessDeniedError, InvalidClientTokenIdError, SignatureDoesNotMatchError):
        refusal.__init__ = corrected(refusal.__init__)


def shorten_sessions(longest):
    """moto keeps to whatever length is asked for, and lets nothing expire."""
    assume = STSBackend.assume_role

    def assume_for_less(self, **asked):
        asked["duration"] = min(asked["duration"], longest)
        return assume(self, **asked)

    STSBackend.assume_role = assume_for_less

    def expire():
        while True:
            end_sessions(utcnow())
            time.sleep(0.1)

    threading.Thread(target=expire, daemon=True).start()


def end_sessions(until):
    for account in list(sts_backends.values()):
        for backend in list(account.values()):
            backend.assumed_roles[:] = [role for role in backend.assumed_roles if role.expiration > until]


def trust(external_id=None):
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    if external_id:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def add_role(iam, name, policy, external_id=None):
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(external_id))
    if policy:
        iam.put_role_policy(RoleName=name, PolicyName="reads", PolicyDocument=json.dumps(policy))


def add_user(iam, name, *policies):
    iam.create_user(UserName=name)
    for number, policy in enumerate(policies):
        iam.put_user_policy(UserName=name, PolicyName=f"policy-{number}", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}


def main():
    policies = json.loads(sys.stdin.readline())
    answer_refusals_as_aws_does()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"

    def client(service, keys):
        return boto3.client(service, region_name="us-east-1", endpoint_url=endpoint, **keys)

    anybody = {"aws_access_key_id": "any", "aws_secret_access_key": "any"}
    iam = client("iam", anybody)
    admin = add_user(iam, "admin", EVERYTHING)
    exporter = add_user(iam, "exporter", policies["exporter"], policies["member"])
    add_role(iam, "guarded", policies["member"], external_id="open:sesame")
    organizations = client("organizations", anybody)
    organizations.create_organization(FeatureSet="ALL")
    members = {}
    # Over a page of twenty, so that the list goes on.
    for number in range(23):
        name = "denied" if number == 22 else f"member-{number}"
        status = organizations.create_account(AccountName=name, Email=f"{name}@example.com")["CreateAccountStatus"]
        members[name] = status["AccountId"]
    for name, account in members.items():
        arn = f"arn:aws:iam::{account}:role/setup"
        given = client("sts", anybody).assume_role(RoleArn=arn, RoleSessionName="setup")["Credentials"]
        inside = client(
            "iam",
            {
                "aws_access_key_id": given["AccessKeyId"],
                "aws_secret_access_key": given["SecretAccessKey"],
                "aws_session_token": given["SessionToken"],
            },
        )
        add_role(inside, ROLE, None if name == "denied" else policies["member"])
    requests.post(f"{endpoint}/moto-api/reset-auth", data=b"0", timeout=10).raise_for_status()
    shorten_sessions(int(sys.argv[1]))
    own = client("sts", admin).get_caller_identity()["Account"]
    say({"endpoint": endpoint, "own": own, "members": members, "exporter": exporter})

    iam = client("iam", admin)
    rule = {"UserName": "exporter", "PolicyName": "no-roles"}
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": "*"}]}
    words = {
        "deny": lambda: iam.put_user_policy(**rule, PolicyDocument=json.dumps(deny)),
        "allow": lambda: iam.delete_user_policy(**rule),
        "end": lambda: end_sessions(utcnow() + datetime.timedelta(days=1)),
    }
    for word in sys.stdin:
        words[word.strip()]()
        say("done")


def say(what):
    print(json.dumps(what), flush=True)


main()
