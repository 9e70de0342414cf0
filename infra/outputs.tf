output "relay_url" {
  description = "Where clients connect to."
  value       = "wss://${local.relay_host}"
}

output "load_balancer_address" {
  description = "What the A record of the domain must say, where there is one."
  value       = one([for address in google_compute_global_address.edge : address.address])
}

output "domain" {
  description = "The domain and whether it is the only way (closed) or not yet (open), and what its A record must say; empty without one."
  value = var.domain == "" ? "" : join(" ", [
    var.domain,
    local.only_load_balancer ? "closed" : "open",
    google_compute_global_address.edge["relay"].address,
  ])
}

output "database" {
  description = "The connection name of the database, for Google's tools."
  value       = google_sql_database_instance.main.connection_name
}

output "services" {
  description = "The Cloud Run services, in the order in which an upgrade brings them in."
  value       = ["store", google_cloud_run_v2_service.relay.name, "fetch", "upkeep", "probe"]
}

output "migrate_job" {
  description = "The Cloud Run job that brings the database to the schema of its image."
  value       = google_cloud_run_v2_job.migrate.name
}

output "dashboards" {
  description = "Where to look."
  value = [
    for dashboard in google_monitoring_dashboard.distrise :
    "https://console.cloud.google.com/monitoring/dashboards/builder/${basename(dashboard.id)}?project=${var.project}"
  ]
}

output "connections" {
  description = "Database connections that all services may open, and how many are allowed."
  value       = { most = terraform_data.connections.output, allowed = local.connections_allowed }
}
