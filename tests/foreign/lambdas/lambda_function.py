# In the form of AWS's documented Python samples of a custom authorizer: one function, the policy built by hand, prints for the log,
# and the answer returned as JSON text.
import base64
import json
import os


def lambda_handler(event, context):
    print(json.dumps(event))
    mqtt = event['protocolData']['mqtt']
    username = mqtt['username'].split('?')[0]
    password = base64.b64decode(mqtt['password']).decode('utf-8')
    if username == 'alice' and password == 'open-sesame':
        return generate_auth_response(context, username, 'Allow')
    return generate_auth_response(context, username, 'Deny')


def generate_auth_response(context, principal, effect):
    region = os.environ['AWS_REGION']
    account = context.invoked_function_arn.split(':')[4]
    base = 'arn:aws:iot:{}:{}:'.format(region, account)
    policy = {
        'Version': '2012-10-17',
        'Statement': [
            {'Action': 'iot:Connect', 'Effect': effect, 'Resource': base + 'client/mqtt5-sample-*'},
            {'Action': ['iot:Publish', 'iot:Receive'], 'Effect': effect, 'Resource': base + 'topic/test/topic'},
            {'Action': 'iot:Subscribe', 'Effect': effect, 'Resource': base + 'topicfilter/test/topic'},
        ],
    }
    response = {
        'isAuthenticated': True,
        'principalId': principal,
        'disconnectAfterInSeconds': 3600,
        'refreshAfterInSeconds': 300,
        'policyDocuments': [json.dumps(policy)],
    }
    return json.dumps(response)
