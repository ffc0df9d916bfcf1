-- A ticket is good for as long as what it was got with.
ALTER TABLE gateway_tickets ADD COLUMN credential TEXT NOT NULL DEFAULT '';
