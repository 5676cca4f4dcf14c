"""Makes a user and a bucket in a server of S3 whose requests must be signed.

    s3.py http://127.0.0.1:PORT

The server is moto, started with INITIAL_NO_AUTH_ACTION_COUNT=3: it checks all requests after the first
three. Prints the address for the tests, with the key and the secret: RAUDAL_S3.
"""

import json
import sys

import boto3

server = sys.argv[1]
nobody = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
iam = boto3.client("iam", endpoint_url=server, region_name="us-east-1", **nobody)
iam.create_user(UserName="raudal")
allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
iam.put_user_policy(UserName="raudal", PolicyName="all", PolicyDocument=policy)
key = iam.create_access_key(UserName="raudal")["AccessKey"]
own = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
boto3.client("s3", endpoint_url=server, region_name="us-east-1", **own).create_bucket(Bucket="raudal")
host = server.removeprefix("http://")
print(f"http://{key['AccessKeyId']}:{key['SecretAccessKey']}@{host}/raudal")
