"""The 2022 contract over the ports of the five services; its names (`sku_id`, `nid` …) stop here."""
