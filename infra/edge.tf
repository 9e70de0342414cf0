# With a domain: a global load balancer with a certificate and Cloud Armor before the relay. The A
# record of the domain must point to the output `load_balancer_address`; the certificate comes then, and
# only then the address of Cloud Run may be closed (only_load_balancer).

locals {
  # By a key of its own: another domain is another certificate, and all the rest stays as it is.
  edge = var.domain == "" ? {} : { relay = var.domain }
}

resource "google_compute_global_address" "edge" {
  for_each = local.edge

  name = "relay"

  depends_on = [google_project_service.needed]
}

resource "google_compute_region_network_endpoint_group" "edge" {
  for_each = local.edge

  name                  = "relay"
  region                = var.region
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = google_cloud_run_v2_service.relay.name
  }
}

resource "google_compute_security_policy" "edge" {
  for_each = local.edge

  name        = "relay"
  description = "New connections of one address; what goes on inside a socket the relay limits itself"

  rule {
    action      = "throttle"
    priority    = 1000
    description = "New connections and pages of one address"

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }

    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"

      rate_limit_threshold {
        count        = var.connects_per_minute
        interval_sec = 60
      }
    }
  }

  rule {
    action      = "allow"
    priority    = 2147483647
    description = "Everything else"

    match {
      versioned_expr = "SRC_IPS_V1"

      config {
        src_ip_ranges = ["*"]
      }
    }
  }
}

resource "google_compute_backend_service" "edge" {
  for_each = local.edge

  name                  = "relay"
  protocol              = "HTTPS"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  security_policy       = google_compute_security_policy.edge[each.key].id

  backend {
    group = google_compute_region_network_endpoint_group.edge[each.key].id
  }

  log_config {
    enable = false
  }
}

resource "google_compute_url_map" "edge" {
  for_each = local.edge

  name            = "relay"
  default_service = google_compute_backend_service.edge[each.key].id
}

resource "google_compute_managed_ssl_certificate" "edge" {
  for_each = local.edge

  # A certificate cannot change: a new domain is a new one, and the old one stays until it is free.
  name = "relay-${substr(sha256(each.value), 0, 8)}"

  managed {
    domains = [each.value]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_target_https_proxy" "edge" {
  for_each = local.edge

  name             = "relay"
  url_map          = google_compute_url_map.edge[each.key].id
  ssl_certificates = [google_compute_managed_ssl_certificate.edge[each.key].id]
}

resource "google_compute_global_forwarding_rule" "edge" {
  for_each = local.edge

  name                  = "relay"
  target                = google_compute_target_https_proxy.edge[each.key].id
  ip_address            = google_compute_global_address.edge[each.key].id
  port_range            = "443"
  load_balancing_scheme = "EXTERNAL_MANAGED"
}
