"""A container's log configuration."""

from __future__ import annotations

AWSLOGS = {
    "logDriver": "awslogs",
    "options": {
        "awslogs-group": "/ecs/api",
        "awslogs-stream-prefix": "app",
        "awslogs-region": "eu-west-1",
    },
}
