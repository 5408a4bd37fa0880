-- A site may have several freezes: each counts until its own end, and one never ends another. `until` is when it ends
-- or ended.
ALTER TABLE freezes DROP CONSTRAINT freezes_pkey;
ALTER TABLE freezes ADD COLUMN id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY;
CREATE INDEX freezes_until ON freezes (until);
