-- The session that was made under a key, from the moment that there is one.
ALTER TABLE gateway_claims ADD COLUMN session TEXT;
