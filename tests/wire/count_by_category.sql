SELECT rough_sleeping_contact.category AS g0, count(*) AS p0, count_distinct(rough_sleeping_contact.person_key) AS p1 FROM rough_sleeping_contact GROUP BY g0
