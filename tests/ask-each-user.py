"""Makes random IAM users in moto, and tells of each what boto3 says when asked.

usage: ask-each-user.py ENDPOINT COUNT SEED

Prints JSON: the names of the users without an MFA device, and of those among
them with a console password. It asks two questions per user, and believes no
list and no report, so that it has nothing in common with the exporter's way.
"""

import json
import random
import sys

import boto3


def make_users(iam, count, seed):
    """Users with and without passwords, keys, and devices of each kind."""
    chance = random.Random(seed)
    for number in range(count):
        name = f"user-{number:03}"
        iam.create_user(UserName=name)
        if chance.random() < 0.6:
            iam.create_login_profile(UserName=name, Password="a-Password-1!")
        if chance.random() < 0.4:
            iam.create_access_key(UserName=name)
        kind = chance.choice(["none", "virtual", "hardware", "fido", "two"])
        if kind in ("virtual", "two"):
            device = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)
            enable(iam, name, device["VirtualMFADevice"]["SerialNumber"])
        if kind in ("hardware", "two"):
            enable(iam, name, f"GAHT{number:08}")
        if kind == "fido":
            enable(iam, name, f"arn:aws:iam::123456789012:u2f/user/{name}/key-R{number}")


def enable(iam, name, serial):
    """Gives a device to a user."""
    codes = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}
    iam.enable_mfa_device(UserName=name, SerialNumber=serial, **codes)


def has_password(iam, name):
    """Whether there is a login profile."""
    try:
        iam.get_login_profile(UserName=name)
        return True
    except iam.exceptions.NoSuchEntityException:
        return False


def main():
    """Makes the users, asks, prints."""
    endpoint, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    keys = {"aws_access_key_id": "AKIASIMULATEDEXAMPLE", "aws_secret_access_key": "x"}
    iam = boto3.client("iam", endpoint_url=endpoint, region_name="us-east-1", **keys)
    make_users(iam, count, seed)
    names = [f"user-{number:03}" for number in range(count)]
    bare = [name for name in names if not iam.list_mfa_devices(UserName=name)["MFADevices"]]
    console = [name for name in bare if has_password(iam, name)]
    print(json.dumps({"without_mfa": bare, "console_without_mfa": console}))


if __name__ == "__main__":
    main()
