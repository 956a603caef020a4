def greet(event, context):
    return {"hello": event["name"]}
