# Connections that all services may open at once must fit what PostgreSQL has.

locals {
  # Reserved for superusers, and for people who look.
  connections_reserved = 6

  # Cloud Run may start a few more instances than it was told, and during an upgrade instances of
  # two revisions run side by side: so a fifth stays free.
  connections_allowed = floor(0.8 * (var.database.max_connections - local.connections_reserved))

  connections_by_part = merge(
    { relay = var.relay.max_instances * var.relay.pool },
    { for name, size in var.functions : name => size.max_instances * size.pool },
    { migrate = 2, follow = var.follow ? local.follow_pool : 0 },
  )
  connections_most = sum(values(local.connections_by_part))
  # Only the relay reads from a replica; nodes of a pool may be down, or get more than their share.
  connections_replica = var.read_replica.nodes == 0 ? 0 : var.relay.max_instances * var.read_replica.pool

  follow_pool = 4

  # What one relay takes: Cloud Run counts pages and health checks as well.
  relay_connections = var.relay.concurrency - 20
}

# Nothing but a place for a rule that stops a plan; a `check` would only warn.
resource "terraform_data" "connections" {
  input = local.connections_most

  lifecycle {
    precondition {
      condition     = local.connections_most <= local.connections_allowed
      error_message = <<-EOT
        All services together may open ${local.connections_most} database connections
        (${jsonencode(local.connections_by_part)}), and ${local.connections_allowed} are allowed with
        max_connections ${var.database.max_connections}. Lower instances or pools, or take a larger tier.
      EOT
    }

    precondition {
      condition     = local.connections_replica <= local.connections_allowed
      error_message = <<-EOT
        All relay instances together may open ${local.connections_replica} connections to the replica, and
        ${local.connections_allowed} are allowed with max_connections ${var.database.max_connections}. Lower instances or read_replica.pool.
      EOT
    }
  }
}
