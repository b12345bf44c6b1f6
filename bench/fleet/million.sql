-- A million enrolled vehicles of the group "load", two attributes each, in the tables that `omma fleet serve` made.
INSERT INTO vehicle_group (name) VALUES ('load') ON CONFLICT DO NOTHING;
INSERT INTO vehicle (id, group_name, public_key, generation, valid_from, enrolled, token, attributes)
SELECT 'M' || i, 'load', md5(i::text) || md5((-i)::text), 1, 1, 1900000000, '',
    '{"region":"' || (ARRAY['eu', 'us', 'jp', 'uk'])[1 + i % 4] || '","memory_gb":' || (8 * (1 + i % 3)) || '.0}'
FROM generate_series(1, 1000000) AS i;
INSERT INTO attribute (vehicle, name, word)
SELECT 'M' || i, 'region', (ARRAY['eu', 'us', 'jp', 'uk'])[1 + i % 4] FROM generate_series(1, 1000000) AS i;
INSERT INTO attribute (vehicle, name, number)
SELECT 'M' || i, 'memory_gb', 8 * (1 + i % 3) FROM generate_series(1, 1000000) AS i;
UPDATE meta SET value = value + 1 WHERE name = 'version';
ANALYZE;
